"""What has been run: the only reader and writer of the workspace's database and files."""

from eyetune.records.run import RunRecord, RunState
from eyetune.records.workspace import Workspace

__all__ = ["RunRecord", "RunState", "Workspace"]
