"""What is asked of Redis is done once, though an answer that comes late or never makes a client ask twice.

It says what may be asked again, takes values that count once, and claims names. It never knows what they stand for.
"""
