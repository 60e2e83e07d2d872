"""The step "report mail": what we tell becomes a finished mail, in the brand's look and safe."""

from bridge.render.mail import Rendered, Renderer

__all__ = ["Rendered", "Renderer"]
