"""The screens. They show the visit and ask the person; they decide nothing."""
