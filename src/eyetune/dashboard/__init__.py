"""The web pages of `eyetune serve`: what a workspace records, live, and knobs to start trainings.

It reads records only. Work is started as commands of their own (`dashboard.commands`), so that it
goes on when the dashboard ends.
"""
