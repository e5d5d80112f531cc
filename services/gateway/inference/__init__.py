"""The paid calls: chat, completions, embeddings: priced, admitted, answered, streamed, in OpenAI's shapes.

It never counts limits or writes usage itself: admission and metering do.
"""
