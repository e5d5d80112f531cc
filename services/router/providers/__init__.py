"""The providers: a folder for each vendor's dialect, beside what all of them use (HTTP, streams, failures, tokens).

Never: retries over models, prices, the gateway's protobuf.
"""
