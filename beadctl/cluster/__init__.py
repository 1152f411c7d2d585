"""Work on the processes of a Dask cluster: where they are, how they are joined, and who gets what to do.

A cluster knows nothing of images. What is to be done is an `Order`, which each worker opens once, as a `Tool`
that it keeps from task to task; results come back to the process that writes them.
"""
