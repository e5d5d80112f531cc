"""Pages for people: templates, texts in two languages, cookies, forms and what a page may do."""
