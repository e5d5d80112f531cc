"""Owns the Helm chart: it is generated from the kustomize base and components, which stay the one source.

Never says anything about a pod that the base does not say.
"""
