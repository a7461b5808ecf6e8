"""Reading CSV, Excel and Parquet files into a DuckDB database, once; see ``load``."""
