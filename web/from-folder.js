// Opened from a folder a page may not read others: there the search lists what it finds without quoting it.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
