"""What of a running request must outlive this process: frames in segments, written, read back, adopted.

It never decides what a request costs, and never deletes what is not confirmed.
"""
