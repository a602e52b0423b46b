"""The interface in words for machines: an OpenAPI 3.1 document, put together from one section for each endpoint family.

A new family is a module that gives a `Section`, and its line in `document.SECTIONS`.
"""
