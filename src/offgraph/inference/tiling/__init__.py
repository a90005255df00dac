"""Images that a model does not take whole: cut into tiles that overlap, and what it says of them put together again."""
