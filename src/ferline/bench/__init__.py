"""Yardsticks of training's speed: a plain PyTorch loop, the device's ceilings, and the floor that follows from both."""
