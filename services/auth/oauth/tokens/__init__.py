"""Tokens and the keys behind them: sign, verify, introspect, publish.

Never decides who gets one.
"""
