"""The description of `eyetune tune`.

It is apart from the command, whose options are made from those of a study: `eyetune --help` lists
the command without importing them.
"""

DESCRIPTION = """Search for the best hyperparameters, in parallel.

The search is over recipes, or over a KerasTuner build_model(hp) as it is.

Trials are trained in parallel, pause and resume with their optimizers as they were, and are all
recorded as runs. After Ctrl-C or a crash, --resume continues the study; at most the epochs under
way are trained again.

For example:

    eyetune tune model.py:build_model --data cifar10 --scheduler hyperband
    eyetune tune --space small --data cifar10 --board esp-eye --time 30m
    eyetune tune --space portfolio --data cifar10 --board esp-eye --time 30m
    eyetune tune --space small --objective val_accuracy --objective parameters
    eyetune tune --around latest --trials 20 --retrain-epochs 50
    eyetune tune --resume --name first --trials 60
"""
