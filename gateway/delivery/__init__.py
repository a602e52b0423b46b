"""Adobe Target delivery, pure: data and the instant in, data out.

Nothing here knows the network, Redis, the clock or chance. Artifacts are immutable; results share their content, so
nobody changes a result. A condition that cannot be evaluated is not satisfied; it never raises.
"""
