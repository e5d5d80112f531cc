"""What at least two services need and no service owns: plumbing, never business."""
