"""The Streamlit pages, one more client of the API."""
