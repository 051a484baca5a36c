"""How fast crmkit is, beside its peers and beside what one writes by hand."""
