"""Archives old months to Parquet files, and deletes them from the database once the files are verified.

It never touches sums, and never removes a row that no proven file holds.
"""
