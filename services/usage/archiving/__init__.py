"""Archiving: months older than a setting go to Parquet files, and leave the database once the files are proven.

It never touches sums, and never removes a row that no proven file holds.
"""
