"""What people decide about pictures: sets of them, the page, the answers, and what follows."""
