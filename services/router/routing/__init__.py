"""The router's use cases: candidates tried in order; whole and streamed answers, embeddings, files.

Never: a vendor's words, SQL, protobuf.
"""
