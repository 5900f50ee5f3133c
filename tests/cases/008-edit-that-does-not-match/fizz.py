x = 1
print('Fizz')
