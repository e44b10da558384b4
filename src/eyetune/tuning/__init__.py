"""Many trainings: jobs, the workers that do them, and the records of what came of them."""
