"""Work on other processes, of this computer or a Dask cluster: where they are, and who gets what to do.

A cluster knows nothing of images. What is to be done is an `Order`, which each worker opens once, as a `Tool`
that it keeps from task to task; results come back to the process that writes them.
"""
