"""Keeps /etc/hosts right inside running containers."""
