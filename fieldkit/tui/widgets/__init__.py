"""Parts of screens: lists, fields, prose, and the pane that answers an item. Each owns keys and styles."""
