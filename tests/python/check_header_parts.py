"""A header table in parts is, to every reader, the table in one file but for ensemble_id.
usage: check_header_parts.py DATASET_OF_ONE_FILE DATASET_IN_PARTS"""

import sys

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq

one, parts = (f"{dataset}/headers.parquet" for dataset in sys.argv[1:])
want = pq.read_table(one).drop_columns(["ensemble_id"])
found = {
    "pyarrow": pq.read_table(parts),
    "pandas": None,
    "polars": pl.read_parquet(parts).to_arrow(),
    "duckdb": duckdb.sql(f"SELECT * FROM read_parquet('{parts}/*.parquet')").to_arrow_table(),
}
assert want.schema.equals(found["pyarrow"].schema), "columns or types differ"
pd.testing.assert_frame_equal(pd.read_parquet(parts), want.to_pandas())
for reader, table in found.items():
    if table is None:
        continue
    assert table.column_names == want.column_names, f"{reader} has other columns"
    for name in want.column_names:
        assert table[name].to_pylist() == want[name].to_pylist(), f"{name} differs in {reader}"
rows = duckdb.sql(f"SELECT count(*) FROM read_parquet('{parts}/*.parquet') WHERE trace_index >= 131072").fetchall()
assert rows == [(want.num_rows - 131072,)], rows
print(f"{len(found)} readers agree on {want.num_rows} rows")
