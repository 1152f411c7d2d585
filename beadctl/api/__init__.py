"""The functions of `beadctl` for Python: what the commands do, with arrays and tables in place of files.

They take the options of the commands by their names, with ``_`` for ``-``, and check them as the command line
does, but read neither ``beadctl.toml`` nor the environment. They print nothing: warnings are Python's, of the
class `beadctl.BeadctlWarning`, and errors are `beadctl.BeadctlError`.
"""
