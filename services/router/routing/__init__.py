"""The router's use cases: candidates tried in order, answers whole and streamed, vectors, files.

Never: a vendor's words, SQL, protobuf.
"""
