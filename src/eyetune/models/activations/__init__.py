"""What happens inside a trained network: traces, feature maps, Grad-CAM.

Internal: it exports nothing.
"""
