"""Yandex's datasets, and what is made of them: tuned models and batches of answers.

Owns their state and routes; never what a model answers, which is the toy model's.
"""
