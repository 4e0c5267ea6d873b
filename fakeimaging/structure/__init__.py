"""What is there: anatomy, parcellation, connectome, and the Subject that holds them."""
