"""Options of commands that export firmware which refuses unknown pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from eyetune.errors import UsageError

if TYPE_CHECKING:
    from eyetune.api.unknown import UnknownOptions

_GROUP = Group("Options for unknown pictures", sort_key=45)


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True)
class UnknownFlags:
    """Options for unknown pictures."""

    unknown: Annotated[str | None, Parameter(metavar="SHARE", show_default="no")] = None
    """Largest share of known pictures that may be answered with "unknown", for example 5%, so that
    pictures of something else are refused. The threshold is found on validation images."""
    unknown_data: Annotated[str | None, Parameter(metavar="NAME|PATH", show_default=False)] = None
    """Pictures of something else, to report how many of them are refused: a folder of image files,
    or a data set."""
    vote: Annotated[int | None, Parameter(show_default="3")] = None
    """Number of the last frames that vote in the firmware, 1 to 32."""

    def options(self) -> UnknownOptions | None:
        """Return the options as Python takes them; None if no picture is to be refused.

        Raises:
            UsageError: A value is out of range, or --unknown is missing.
        """
        from eyetune.api.unknown import DEFAULT_VOTE_FRAMES, UnknownOptions, read_rate

        if self.unknown is None:
            if self.unknown_data is not None or self.vote is not None:
                raise UsageError(
                    "--unknown-data and --vote are for firmware that refuses unknown pictures.",
                    expected="--unknown with a share",
                    received="none",
                    fix="Add --unknown 5%, or leave them out.",
                )
            return None
        votes = DEFAULT_VOTE_FRAMES if self.vote is None else self.vote
        return UnknownOptions(read_rate(self.unknown), self.unknown_data, votes)

    def check_absent(self) -> None:
        """Check that no picture is to be refused.

        Raises:
            UsageError: An option is given.
        """
        if self.options() is not None:
            raise UsageError(
                "A model file alone cannot refuse unknown pictures: the firmware does.",
                expected="a format of firmware: esp-idf, arduino or c",
                received="--unknown with a format of model files",
                fix="Leave --unknown out, or choose --format c for the network and the rule in C.",
            )


NOTHING_UNKNOWN = UnknownFlags()
