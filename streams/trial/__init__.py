"""`vigie trial`: what Vigie would have told of somebody's own logs, as one page. `facts` gathers it, `page` writes it."""
