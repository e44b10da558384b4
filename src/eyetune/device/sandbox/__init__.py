"""Interpreters of .tflite models in processes of their own.

A file from elsewhere may make an interpreter crash, or worse: interpreters are C++ programs that
trust what a file says. `client` sends a model and images to such a process and returns plain
arrays; `server` is that process. Internal: it exports nothing.
"""
