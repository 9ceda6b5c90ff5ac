"""Answers DNS questions: a shared cache by TTL, one flight per question, one time limit, and nothing is raised.

NODATA is not NXDOMAIN is not a failure (gateway.evidence.zone). `records` reads answers, `cache` keeps them, `channel`
asks c-ares, `breaker` notices that no name server answers at all, and `resolver` joins them.
"""

from gateway.resolver.resolver import Resolver

__all__ = ["Resolver"]
