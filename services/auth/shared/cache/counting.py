"""Counters in Redis that always expire."""

from __future__ import annotations

from typing import Final

# KEYS: the counter. ARGV: by how much, and seconds until it ends, which the first count decides. Returns the sum, and
# the milliseconds until it ends.
COUNT: Final = """
local sum = redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2], 'NX')
return {sum, redis.call('PTTL', KEYS[1])}
"""
