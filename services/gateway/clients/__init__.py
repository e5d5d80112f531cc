"""The border to the other services: protobuf stays inside, values come out."""
