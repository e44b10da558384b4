"""The web pages of `eyetune serve`: what a workspace records, live, and knobs to start trainings.

It reads records, and writes what a user decides on its pages: notes, tags, what is in the trash,
requests to studies, and findings of checks. Trainings and studies are started as commands of their
own (`dashboard.jobs`), so that they continue when the dashboard ends.
"""
