"""The terminal and the line to it: what they can show, what is sent, pictures as character cells."""
