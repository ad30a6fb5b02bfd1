"""Adam, as its authors wrote it: torch's own takes seconds to import."""

import torch


class Adam:
    """Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1."""

    def __init__(self, parameters: list[torch.nn.Parameter], learning_rate: float) -> None:
        self.parameters, self.learning_rate, self.steps = parameters, learning_rate, 0
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]

    def step(self, loss: torch.Tensor) -> None:
        """Moves the parameters along the gradient of a loss, a scalar."""
        gradients = torch.autograd.grad(loss, self.parameters)
        self.steps += 1
        rate = self.learning_rate / (1.0 - 0.9**self.steps)
        with torch.no_grad():
            for parameter, (first, second), gradient in zip(
                self.parameters, self.moments, gradients, strict=True
            ):
                first.lerp_(gradient, 0.1)
                second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
                root = (second / (1.0 - 0.999**self.steps)).sqrt_().add_(1e-8)
                parameter.addcdiv_(first, root, value=-rate)
