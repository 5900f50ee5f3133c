print("Fizz")
