"""A shorter way through FastAPI: what a route calls, worked out once instead of at every request.

FastAPI resolves dependencies anew for each request, which costs several times what a query does. A
`Plan` lists the calls of a route in the order in which FastAPI makes them, each with the names of
its arguments. It covers async functions, `yield` dependencies with scope="function", path, query
and header parameters, one JSON body, and endpoints that return a Response. Every other route is
left to FastAPI, and so is a request whose query or body a plan does not read, before anything is
called: both ways give the same answers. Without `PlanMiddleware` the application is only slower.
docs/decisions/reads-and-writes.md has the figures.

What FastAPI decides is decided here by its own functions. Some are not public: an upgrade may need
a change here.
"""
