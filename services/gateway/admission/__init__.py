"""May this request pass? One Redis script over all limits, its Python face, and what holds when Redis is lost.

It never knows HTTP or what a model is.
"""
