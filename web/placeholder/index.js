// Shows the address by which this page was reached in the commands to copy.
document.getElementById("address").textContent = document.baseURI.replace(/\/$/, "");
