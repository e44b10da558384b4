"""For tests of eyetune and of plug-ins: tiny datasets, fabricated records, simulated executors."""
