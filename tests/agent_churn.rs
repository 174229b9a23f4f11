//! Containers that come and go by the thousand keep their names.
