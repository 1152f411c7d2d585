"""Tables as Parquet files, by pyarrow."""

from collections.abc import Mapping, Sequence
from typing import Any

from beadctl.errors import require_extra
from beadctl.text import cell


def require() -> None:
    """Refuse Parquet where pyarrow is not installed.

    Raises
    ------
    MissingExtraError
        It names the ``pip install``.
    """
    require_extra("parquet", "pyarrow")


def encoded(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], types: Mapping[str, type]) -> bytes:
    """Return the content of a Parquet file.

    Columns have one type whatever the rows hold, so that files of several runs can be read as one table.

    Parameters
    ----------
    columns, rows : sequence of str and sequence of mapping
        Names of the columns, and the rows, with a value for each; None is null.
    types : mapping of str to type
        ``int``, ``float`` or ``bool``; other columns are text.
    """
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, kinds.get(types.get(name, str), pa.string())) for name in columns])
    values = [{name: _value(row[name], types.get(name, str)) for name in columns} for row in rows]
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(values, schema), sink)
    return bytes(sink.getvalue())


def _value(value: Any, kind: type) -> Any:
    return value if value is None or kind in (int, float, bool) else cell(value)
