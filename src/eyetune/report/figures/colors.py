"""Colors that mean the same in every figure, and that color-blind readers can distinguish."""

# The best recipes or trials, in order.
STRONG = ("#1f5fa8", "#d9730d", "#7b3fa0", "#0a8f8f")
BETTER, WORSE, UNSURE = "#1a7f37", "#c0392b", "#8a8a8a"
