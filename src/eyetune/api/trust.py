"""Trust a model function that a recipe or a workspace names."""

from __future__ import annotations

from pathlib import Path


def trust_function(function: str | Path) -> None:
    """Trust a model function that a recipe or a workspace names, so that it may run.

    Its code can do anything that you can: read it first. Its SHA-256, with that of the modules
    beside it that it imports, enters your list of trusted functions. Functions that you pass to
    `tune` or to a tuner, or set with `Recipe.with_`, are trusted already.

    Args:
        function: The function as "file.py:name" or the path of a pickle, as the error that refuses
            it shows.

    Raises:
        FunctionError: There is no such file.

    Example:
        >>> import eyetune as et
        >>> et.trust_function("functions/5d41402abc4b2a76/model.py")  # doctest: +SKIP
    """
    from eyetune.models.model_function import trust_reviewed

    trust_reviewed(str(function))
