"""The merge strategies: one module a strategy, its file name the registry name, its object called `STRATEGY`.

This folder is the package `mergekit_speech.strategies`, through the link `mergekit_speech/strategies`.
"""

if __name__ != "mergekit_speech.strategies":
    raise ImportError(
        f"expected this package under the name 'mergekit_speech.strategies', came {__name__!r}: "
        "two names would make two copies of every strategy; write `import mergekit_speech.strategies`"
    )
